"""``python -m deploy.cli``, which ``helpdesk`` calls."""

from deploy.cli.app import app

if __name__ == "__main__":
    app(prog_name="helpdesk")
