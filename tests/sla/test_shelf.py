import pytest
from pydantic import ValidationError

from models.sla.ladder import Ladder
from models.sla.shelf import Shelf


def test_a_definition_is_parsed_once_and_on_demand() -> None:
    shelf = Shelf(Ladder, {(1, 1): {"name": "Steps"}, (1, 2): {"name": 7}})
    assert [*shelf] == [(1, 1), (1, 2)]
    assert len(shelf) == 2
    assert (1, 2) in shelf
    assert (1, 3) not in shelf
    assert shelf[1, 1] is shelf[1, 1]
    with pytest.raises(ValidationError):
        shelf[1, 2]
