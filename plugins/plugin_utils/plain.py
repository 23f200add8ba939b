# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values as Jinja hands them over, without Ansible's own types."""

from __future__ import annotations

import json
from typing import Any


def plain(value: Any) -> Any:
    """Without Ansible's string and container types, which neither copy nor dump alike in all its
    versions.

    What was literal text stays literal text: nothing here is looked at by the templating engine
    again, and Ansible marks what an action returns as not to be templated.
    """
    # default=str: ansible-core 2.18 decrypts vaulted strings only when asked for their text.
    return json.loads(json.dumps(value, default=str))
