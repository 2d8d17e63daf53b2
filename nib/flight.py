"""A transaction that was sent, the changes it carries for whom, and whether it arrived.

Owns: what a change function's future is told, and recognizing a transaction in the database.
Must not know: when to send, or when to try again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nib.draft import Draft
from nib.mirror import Lookups, RowChange
from nib.records import Global

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What a change function returned, and intent's generation in force after its commit."""

    value: T
    generation: int


@dataclass(eq=False, slots=True)
class Job:
    """One change function waiting for its turn until `deadline` (monotonic seconds)."""

    change: Callable[[Draft], Any]
    future: Future[Committed[Any]]
    deadline: float
    begun: bool = False
    refusals: int = 0

    def begin(self) -> bool:
        """False when the caller cancelled the future before the first run."""
        if not self.begun:
            self.begun = True
            return self.future.set_running_or_notify_cancel()
        return True

    def fail(self, error: Exception) -> None:
        """End with an error."""
        if self.begin():
            self.future.set_exception(error)

    def run(self, draft: Draft) -> Outcome:
        """Run the change function; what it changed before it raised is taken back."""
        mark = draft.mark
        try:
            return Outcome(self, self.change(draft), None)
        except Exception as error:
            draft.roll_back(mark)
            return Outcome(self, None, error)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change function returned or raised, to be told once nothing can change it."""

    job: Job
    value: Any
    error: Exception | None

    def tell(self, generation: int) -> None:
        """Resolve the future."""
        if self.error is None:
            self.job.future.set_result(Committed(self.value, generation))
        else:
            self.job.fail(self.error)


@dataclass(frozen=True, slots=True)
class Flight:
    """A transaction sent to the server.

    generation: intent's after it, None = unchanged. doubts: earlier transactions of the same jobs
    of which it is not known whether they arrived.
    """

    txn: Any
    outcomes: tuple[Outcome, ...]
    changes: tuple[RowChange, ...]
    generation: int | None
    session_seqno: int
    change_seqno: int
    deadline: float
    doubts: tuple[Flight, ...] = ()

    @property
    def jobs(self) -> list[Job]:
        """Whose changes it carries."""
        return [outcome.job for outcome in self.outcomes]

    def tell(self, generation: int) -> None:
        """Resolve all futures: the transaction is in the database."""
        for outcome in self.outcomes:
            outcome.tell(generation if self.generation is None else self.generation)

    def arrived(self, view: Lookups) -> bool:
        """Whether the database is as this transaction made it, in every row but the Global one.

        Rows of intent carry the generation that changed them last. So this is only wrong where
        another process made the very same rows, and then it makes no difference.
        """
        rows = [change for change in self.changes if change.kind is not Global]
        return bool(rows) and all(_is_made(change, view) for change in rows)


def arrived_of(flights: Iterable[Flight], view: Lookups) -> Flight | None:
    """The one of these transactions that arrived, if any; at most one of them can have."""
    return next((flight for flight in flights if flight.arrived(view)), None)


def _is_made(change: RowChange, view: Lookups) -> bool:
    return view.get(change.kind, change.record.key) == change.new
