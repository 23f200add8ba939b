from __future__ import annotations


class FilterModule:
    def filters(self):
        return {"shout": str.upper}
