import pytest
from jinja2 import UndefinedError

from activities.email.render import MAX_QUOTE, SHORTENED, render
from models.notifications.kinds import NotificationKind
from tests.notifications.emails import KINDS, context

SECRET = "the customer is always wrong"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_email(kind: NotificationKind) -> None:
    rendered = render(kind, context())
    assert rendered.subject.startswith("[#7] ")
    assert "The printer is on fire" in rendered.subject
    for body in (rendered.text, rendered.html):
        assert "Hello Ana," in body
        assert "Acme · #7" in body
        assert "https://desk.test/" in body
        assert "None" not in body
    assert "\n\n\n" not in rendered.text


@pytest.mark.parametrize("kind", KINDS)
def test_an_email_does_without_what_may_be_missing(kind: NotificationKind) -> None:
    absent = {"reason": None, "from_agent_name": None, "to_agent_name": None}
    nameless = context(recipient={"name": ""}, **absent)
    assert "Hello,\n" in render(kind, nameless).text
    assert "None" not in render(kind, nameless).text
    assert "\n\n\n" not in render(kind, nameless).text


def test_a_reply_reads_like_an_email() -> None:
    assert render("reply_to_reporter", context()).text == (
        "Hello Ana,\n\nLeo has answered your request:\n\n> First line\n> second line\n> \n> last line\n\n"
        "See the whole conversation, or reply: https://desk.test/tickets/7?from=mail&x=1\n\n-- \nAcme · #7"
    )


def test_a_digest_lists_what_was_held_back_each_with_its_link() -> None:
    evil = ["#7 <script>\r\n* #8 Not ours", "#9 {{7*7}} =?utf-8?q?=0d=0a?="]
    listed = [{"text": text, "url": f"https://desk.test/{place}?x=1&y"} for place, text in enumerate(evil)]
    rendered = render("digest", context(listed=[*listed, {"text": "and 5 more", "url": ""}]))
    assert rendered.subject == "Notifications that were held back"
    assert "* #7 <script> * #8 Not ours\n  https://desk.test/0?x=1&y\n* #9 {{7*7}} =?utf-8?q?=0d=0a?=\n  https://" in rendered.text
    assert '<a href="https://desk.test/0?x=1&amp;y" style="color:#1d5fd1">#7 &lt;script&gt;' in rendered.html
    assert "<li>and 5 more</li>" in rendered.html
    assert rendered.text.endswith("* and 5 more\n\n-- \nAcme")


def test_a_digest_has_no_link_that_is_no_web_address() -> None:
    with pytest.raises(ValueError, match="http"):
        render("digest", context(listed=[{"text": "#7", "url": "javascript:alert(1)"}]))


def test_an_escalation_names_both_agents_and_the_reason() -> None:
    text = render("escalated", context()).text
    assert "reached escalation level 2 on its first response target." in text
    assert "It has passed from Ana to Greta." in text
    assert "Due date of the target: 24 November 2026 at 10:15 UTC" in text
    assert "Reason: Deadline" in text


def test_an_escalation_tells_the_reporter_neither_agent_nor_reason() -> None:
    text = render("escalated", context(actor_name=None, from_agent_name=None, to_agent_name=None, reason=None)).text
    assert "reached escalation level 2 on its first response target." in text
    assert "Due date of the target: 24 November 2026 at 10:15 UTC" in text
    assert not any(word in text for word in ("Greta", "Leo", "Reason", "passed", "Priority"))


def test_the_text_of_an_internal_note_stays_inside() -> None:
    rendered = render("note_added", context(message=SECRET, reason=SECRET))
    assert SECRET not in rendered.subject + rendered.text + rendered.html


def test_only_the_comment_has_lines_of_its_own() -> None:
    text = render("ticket_reopened", context(reason="a\n\nYour password has expired.\n\nb")).text
    assert "Reason: a Your password has expired. b" in text


def test_line_breaks_of_a_comment_show_in_html() -> None:
    assert "First line<br>\nsecond line<br>\n<br>\nlast line" in render("reply_to_agent", context()).html


def test_a_very_long_comment_is_shortened() -> None:
    rendered = render("reply_to_agent", context(message="x" * 1_000_000))
    assert SHORTENED in rendered.text
    assert len(rendered.text) < MAX_QUOTE + 1_000


@pytest.mark.parametrize("link", ["javascript:alert(1)", "", "https://desk.test/ x", 'https://desk.test/"onclick="x', "/tickets/7"])
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="http"):
        render("ticket_received", context(link=link))


def test_a_context_that_lacks_something_is_refused() -> None:
    incomplete = context()
    del incomplete["actor_name"]
    with pytest.raises(UndefinedError):
        render("reply_to_agent", incomplete)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="layout"):
        render("layout", context())
