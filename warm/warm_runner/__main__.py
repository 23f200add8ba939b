"""python -m warm_runner"""

from __future__ import annotations

from warm_runner.cli import main

if __name__ == "__main__":
    main()
