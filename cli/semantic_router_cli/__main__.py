"""`python -m semantic_router_cli`, for who has not installed the plugin."""

from __future__ import annotations

from semantic_router_cli.entry import main

if __name__ == "__main__":
    main()
