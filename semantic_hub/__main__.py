"""``python -m semantic_hub``: the command ``semantic-hub``."""

from semantic_hub.cli import app

if __name__ == "__main__":
    app()
