from tests.platform.metrics_page import FILE, page


def test_the_page_of_metrics_is_what_the_code_measures() -> None:
    assert FILE.read_text() == page(), "python -m tests.platform.metrics_page"
