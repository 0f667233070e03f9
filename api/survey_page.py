"""The one page that the API shows to a person: the survey. No script, nothing from elsewhere; what people wrote is escaped."""

from fastapi import Response
from jinja2 import Environment

from api.tickets.responses import SurveyView

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>How did we do?</title>
<style>body{font:18px/1.5 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1rem;margin:.2rem}
textarea{font:inherit;width:100%;margin:1rem 0}</style>
<h1>How did we do?</h1><p>{{ survey.merchant_name }}, your ticket #{{ survey.ticket_number }}.</p>
{% if survey.state == "open" %}<form method="post">
<label>Anything to add?<textarea name="comment" rows="3" maxlength="4000"></textarea></label>
{% for score in range(1, 6) %}<button name="score" value="{{ score }}">{{ score }}</button>{% endfor %}
<p>1 is poor, 5 is excellent.</p></form>
{% elif survey.state == "answered" %}<p>Thank you, your answer is noted.</p>
{% else %}<p>This survey is over.</p>{% endif %}</html>""")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def survey_page(survey: SurveyView) -> Response:
    return Response(_PAGE.render(survey=survey), media_type="text/html", headers=_HEADERS)
