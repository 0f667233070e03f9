import pytest
from pydantic import ValidationError

from models.sla.ladder import Ladder
from models.sla.rulebook import Definitions


def test_a_definition_is_parsed_once_and_on_demand() -> None:
    definitions = Definitions(Ladder, {(1, 1): {"name": "Steps"}, (1, 2): {"name": 7}})
    assert [*definitions] == [(1, 1), (1, 2)]
    assert len(definitions) == 2
    assert (1, 2) in definitions
    assert (1, 3) not in definitions
    assert definitions[1, 1] is definitions[1, 1]
    with pytest.raises(ValidationError):
        definitions[1, 2]
