"""Where the API lies: clients, links and what an operator reads all say the same."""

from typing import Final

BASE: Final = "/v1/api/helpdesk"
