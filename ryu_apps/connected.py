"""One switch as the leader knows it, from its connection to its end.

Must not know: what any rule means, the database.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from nib.topology import Switch
from ryu_apps.link import Link
from ryu_apps.session import Phase, Session


@dataclass(eq=False, slots=True)
class Connected:
    """A switch that is connected; its session begins when its row and features are known.

    applied: the generation it acknowledged last; audit: the request that a read-back under way
    answers; audited: the last that was answered; began: when the oldest change under way came in
    (monotonic seconds); since: when it took us as its master, likewise; usable: it holds what
    packets need that are led through it; held: why it is left alone; double: another claims to be
    this one.
    """

    dpid: str
    link: Link
    switch: Switch | None = None
    session: Session | None = None
    applied: int = 0
    audit: int | None = None
    audited: int = 0
    began: float | None = None
    usable: bool = False
    held: str = ""
    double: str = ""
    since: float = field(default_factory=time.monotonic)

    @property
    def is_resting(self) -> bool:
        """Whether it holds all that was wanted of it."""
        return self.session is not None and self.session.phase is Phase.RESTING

    @property
    def problem(self) -> str:
        """What keeps it from being as wanted; "" when nothing does."""
        failed = "" if self.session is None else self.session.problem
        lacks = "" if self.switch is None or self.session is not None else self.switch.problem
        return "; ".join(filter(None, (self.held, lacks, failed, self.double)))
