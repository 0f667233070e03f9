"""The caught e-mails as pages for a person: ``/dev/mail`` in a browser. What an e-mail says is escaped, its HTML is shown in a sandbox."""

from collections.abc import Sequence
from typing import Final

from fastapi import Response
from jinja2 import DictLoader, Environment, StrictUndefined

from deploy.local.mail import CaughtMail

_LAYOUT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886 }
iframe { width: 100%; height: 32rem; border: 1px solid #8886; background: #fff }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8886; padding: 1rem }
</style></head><body>{% block body %}{% endblock %}</body></html>"""
_LIST: Final = """{% extends "layout" %}{% block body %}<h1>Caught e-mails</h1>
{% if mails %}<table><tr><th>Received</th><th>To</th><th>Subject</th></tr>
{% for mail in mails %}<tr><td>{{ mail.received_at.strftime("%H:%M:%S") }}Z</td><td>{{ mail.to | join(", ") }}</td>
<td><a href="/dev/mail/{{ mail.id }}">{{ mail.subject or "(no subject)" }}</a></td></tr>
{% endfor %}</table>{% else %}<p>There is none yet. Open a ticket, and look again.</p>{% endif %}{% endblock %}"""
_ONE: Final = """{% extends "layout" %}{% block body %}<p><a href="/dev/mail">All e-mails</a></p>
<h1>{{ mail.subject or "(no subject)" }}</h1>
<p>From {{ mail.from_ }}<br>To {{ mail.to | join(", ") }}<br>
{{ mail.received_at.strftime("%Y-%m-%d %H:%M:%S") }}Z, {{ mail.message_id }}</p>
{% if mail.html %}<h2>HTML</h2><iframe title="HTML" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="{{ framed }}"></iframe>
{% endif %}<h2>Text</h2><pre>{{ mail.text | urlize(target="_blank") }}</pre>{% endblock %}"""
_TEMPLATES: Final = Environment(
    loader=DictLoader({"layout": _LAYOUT, "list": _LIST, "one": _ONE}), autoescape=True, undefined=StrictUndefined, auto_reload=False
)
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}


def page_of_all(mails: Sequence[CaughtMail]) -> Response:
    return _page("list", title="Caught e-mails", mails=mails)


def page_of(mail: CaughtMail) -> Response:
    """Its links open in a new tab: a page in the sandbox can't lead this one away."""
    return _page("one", title=mail.subject, mail=mail, framed=f'<base target="_blank">{mail.html}')


def _page(template: str, **content: object) -> Response:
    return Response(_TEMPLATES.get_template(template).render(content), headers=_HEADERS, media_type="text/html")
