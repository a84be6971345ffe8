"""All that can happen between leaders and an API server while a slot is started, found by search.

Models docs/architecture.md, "Exactly one start per slot", and docs/semantics.md, "Which slots count" and
"History in the cluster". A leader is the operator's own code (protocol_leader.py); here are the API server,
the requests under way, the Lease with its term, and time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from testkit.scheduled_jobs import build_plan, build_scheduled_job
from testkit.start_protocol.leader import (
    FENCED,
    NO_ANSWER,
    TAKEN,
    Job,
    Leader,
    Leaders,
    Request,
    Rules,
    tell,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.job_creation import Answer
from sundial_core.resources import names
from sundial_core.resources.plans import Plan
from sundial_core.resources.raw import JsonObject

LIFETIME_TICKS = 2


class State(NamedTuple):
    """The world. `made` names each attempt whose Job was ever created; `wire` is in order."""

    clock: int
    jobs: tuple[Job, ...]
    made: tuple[str, ...]
    version: int
    status: int
    wire: tuple[Request, ...]
    term: int
    leaders: tuple[Leader, ...]
    troubles: int = 0  # how many answers were not waited for


class Violation(Exception):
    """Something happened that the protocol excludes."""


@dataclass
class Exploration:
    """What a search has found: each state with the one before it and the step between."""

    came_from: dict[State, tuple[State, str] | None]
    ends: list[State] = field(default_factory=list)
    violation: str = ""
    trace: list[str] = field(default_factory=list)


class Protocol:
    """The protocol under some rules: `list_steps` lists what can happen next."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.leaders = Leaders(rules)

    def begin(self) -> State:
        """Begin with a schedule that an earlier leader has accepted, before its first slot."""
        keep = self.leaders.kept.keep
        first = self.leaders.begin(0, 1, keep({}), ())
        _, (patch,) = self.leaders.look(first, 0, ())
        return State(1, (), (), 2, patch.body, (), 0, ())

    def find_next(self, state: State) -> list[tuple[str, State]]:
        """Find the states that can be next, none at the end; raises Violation.

        Past the last tick, time goes on only where nothing else can happen and a create is still tried again.
        """
        steps = [(name, self.simplify(after)) for name, after in self.list_steps(state)]
        steps = [(name, after) for name, after in steps if after != state]
        if not steps and any(self.leaders.list_creates(leader) for leader in state.leaders):
            return [("a tick passes", state._replace(clock=state.clock + 1))]
        if not steps:
            self.check_end(state)
        return steps

    def list_steps(self, state: State) -> Iterator[tuple[str, State]]:
        """List all that can happen next, each with its name."""
        yield from self._pass_time(state)
        yield from self._end_jobs(state)
        yield from self._change_leader(state)
        for leader in state.leaders:
            yield from self._lead(state, leader)
        for request in state.wire:
            yield from self._carry(state, request)

    def simplify(self, state: State) -> State:
        """Forget what makes no difference: requests that will be refused, how often the status changed."""
        wire = sorted(one for one in state.wire if one.waits or self._can_matter(state, one))
        known = {state.version, *(leader.version for leader in state.leaders)}
        known.update(int(one.about) for one in wire if one.kind == "patch")
        if known == {0}:
            return state._replace(wire=tuple(wire))
        rank = {version: place for place, version in enumerate(sorted(known))}
        for place, one in enumerate(wire):
            if one.kind == "patch":
                wire[place] = one._replace(about=str(rank[int(one.about)]))
        leaders = tuple(leader._replace(version=rank[leader.version]) for leader in state.leaders)
        return state._replace(version=rank[state.version], wire=tuple(wire), leaders=leaders)

    def _can_matter(self, state: State, orphan: Request) -> bool:
        """Tell whether a request that nobody waits for can change something: terms and versions only grow."""
        if orphan.kind == "patch":
            return not self.rules.has_guard or orphan.about == str(state.version)
        if orphan.kind == "delete":
            return any(self.leaders.observe(job).uid == orphan.about for job in state.jobs)
        return not self.rules.has_fence or orphan.term == state.term

    def _pass_time(self, state: State) -> Iterator[tuple[str, State]]:
        """Pass a tick; what was sent two before is landed or lost, but for what a frozen process still holds.

        Without a fence a leader is taken to send a create in the tick in which it is due: the floor must be
        longer than LIFETIME_TICKS by as long as that may take.
        """
        until = state.clock + 1 - LIFETIME_TICKS
        is_waited_for = any(
            one.sent <= until and (one.term == state.term or not self.rules.has_fence) for one in state.wire
        )
        is_waited_for |= not self.rules.has_fence and any(
            self._owes_create(state, one) for one in state.leaders
        )
        if state.clock < self.rules.last_tick and not is_waited_for:
            yield "a tick passes", state._replace(clock=state.clock + 1)

    def _owes_create(self, state: State, leader: Leader) -> bool:
        _, requests = self.leaders.look(leader, state.clock, state.jobs)
        waited_for = {one.about for one in state.wire if one.waits}
        is_unsent = not waited_for.issuperset(self.leaders.list_creates(leader))
        return is_unsent or any(one.kind == "create" for one in requests)

    def _end_jobs(self, state: State) -> Iterator[tuple[str, State]]:
        for job in state.jobs:
            if job.ended < 0:
                others = [one for one in state.jobs if one != job]
                ended = tuple(sorted([*others, job._replace(ended=state.clock)]))
                yield f"{self._name(job.manifest)} ends", state._replace(jobs=ended)

    def _change_leader(self, state: State) -> Iterator[tuple[str, State]]:
        """Let a new leader raise the term and list; the one before crashed, froze or was cut off.

        A frozen leader can do nothing once its gate is shut; only what it had sent goes on.
        """
        if state.term == self.rules.terms:
            return
        version, status, jobs = state.version, state.status, state.jobs
        if not self.rules.lists_consistently:
            first = self.begin()
            version, status, jobs = first.version, first.status, ()
        leader = self.leaders.begin(state.term + 1, version, status, jobs)
        wire = tuple(one._replace(waits=False) for one in state.wire)
        elected = state._replace(term=leader.term, leaders=(leader,), wire=wire)
        yield f"leader {leader.term} lists and begins", elected

    def _lead(self, state: State, leader: Leader) -> Iterator[tuple[str, State]]:
        """Hear news, look, or send a create again."""
        who = f"leader {leader.term}"
        if leader.jobs != state.jobs:
            heard = self.leaders.hear(leader, state.clock, state.jobs)
            yield self._look(_put(state, leader, heard), heard, f"{who} hears of Jobs and looks")
        if leader.version != state.version:
            heard = leader._replace(version=state.version, status=state.status)
            yield self._look(_put(state, leader, heard), heard, f"{who} hears of the status and looks")
        yield self._look(state, leader, f"{who} looks")
        has_room = len(state.wire) < self.rules.most_under_way
        for about in self.leaders.list_creates(leader) if has_room else ():
            if not any(one.waits and one.about == about for one in state.wire):
                sent, requests = self.leaders.send_again(leader, state.clock, state.jobs, about)
                yield self._send(_put(state, leader, sent), requests, f"{who} tries again")

    def _look(self, state: State, leader: Leader, step: str) -> tuple[str, State]:
        looked, requests = self.leaders.look(leader, state.clock, state.jobs)
        return self._send(_put(state, leader, looked), requests, step)

    def _send(self, state: State, requests: tuple[Request, ...], step: str) -> tuple[str, State]:
        """Put on the wire what has room, creates first; a patch and a delete go out once at a time."""
        patching = {one.term for one in state.wire if one.waits and one.kind == "patch"}
        deletes = {one.about for one in state.wire if one.kind == "delete"}
        sent = [
            one
            for one in requests
            if one.kind == "create"
            or (one.kind == "patch" and one.term not in patching)
            or (one.kind == "delete" and one.about not in deletes)
        ]
        room = max(self.rules.most_under_way - len(state.wire), sum(one.kind == "create" for one in sent))
        sent = sent[:room]
        named = step + "".join(f", sends {self._tell(one)}" for one in sent)
        return named, state._replace(wire=tuple(sorted([*state.wire, *sent])))

    def _carry(self, state: State, request: Request) -> Iterator[tuple[str, State]]:
        """Let a request land, answered if its sender waits, or let its sender give up, or lose it."""
        rest = list(state.wire)
        rest.remove(request)
        without = state._replace(wire=tuple(rest))
        land = {"create": self._create, "patch": self._patch, "delete": self._delete}[request.kind]
        yield f"{self._tell(request)} lands", land(without, request)
        if not request.waits:
            yield f"{self._tell(request)} is lost", without
            return
        if state.troubles == self.rules.troubles:
            return
        (sender,) = [one for one in state.leaders if one.term == request.term]
        gave_up = sender
        if request.kind == "create":
            gave_up = self.leaders.answer(sender, state.clock, state.jobs, request, NO_ANSWER)
        orphan = request._replace(waits=False)
        timed_out = _put(without, sender, gave_up)._replace(wire=tuple(sorted([*rest, orphan])))
        timed_out = timed_out._replace(troubles=state.troubles + 1)
        yield f"leader {request.term} gives up waiting for {self._tell(request)}", timed_out

    def _create(self, state: State, request: Request) -> State:
        """Store a Job: refused by the fence when it is of an older term, and when its name is taken."""
        job = Job(request.body, state.clock, -1)
        taken = {self._name(one.manifest) for one in state.jobs}
        outcome: Answer | Job = job
        after = state
        if self.rules.has_fence and request.term != state.term:
            outcome = FENCED
        elif self._name(request.body) in taken:
            outcome = TAKEN
        else:
            made = self._identify(job)
            if made in state.made:
                raise Violation(f"a second Job of {made}")
            after = state._replace(
                jobs=tuple(sorted([*state.jobs, job])), made=tuple(sorted([*state.made, made]))
            )
        for sender in state.leaders:
            if request.waits and sender.term == request.term:
                told = self.leaders.answer(sender, state.clock, after.jobs, request, outcome)
                after = self._tell_and_reconcile(after, sender, told)
        return after

    def _patch(self, state: State, request: Request) -> State:
        """Store a status under its resourceVersion; in a conflict the sender reads the object again."""
        after = state
        if request.about == str(state.version) or not self.rules.has_guard:
            after = state._replace(version=state.version + 1, status=request.body)
        for sender in state.leaders:
            if request.waits and sender.term == request.term:
                told = sender._replace(version=after.version, status=after.status)
                after = self._tell_and_reconcile(after, sender, told)
        return after

    def _tell_and_reconcile(self, state: State, sender: Leader, told: Leader) -> State:
        """Let a leader take an answer, and look."""
        return self._look(_put(state, sender, told), told, "")[1]

    def _delete(self, state: State, request: Request) -> State:
        """Delete the Job of that UID."""
        kept = tuple(one for one in state.jobs if self.leaders.observe(one).uid != request.about)
        return state._replace(jobs=kept)

    def _identify(self, job: Job) -> str:
        """Name an attempt of a slot, whatever the Job's name is."""
        seen = self.leaders.observe(job)
        return f"{format_instant(seen.slot)} attempt {seen.attempt}" if seen.slot else ""

    def _name(self, manifest: int) -> str:
        return str(self.leaders.kept[manifest]["metadata"]["name"])

    def _tell(self, request: Request) -> str:
        if request.kind == "create":
            annotations = self.leaders.kept[request.body]["metadata"]["annotations"]
            what = f"{annotations[names.SCHEDULED_FOR]} attempt {annotations[names.ATTEMPT]}"
        elif request.kind == "patch":
            what = f"the status of version {request.about}"
        else:
            what = request.about
        return f"{request.kind} {what} of term {request.term}"

    def check_end(self, state: State) -> None:
        """Check that each slot has one verdict, and that the started ones are those that have had a Job."""
        entries = self.leaders.kept[state.status].get("recentSlots", [])
        slots = list_slots(self.rules.spec, self.rules.last_tick)
        verdicts = [[entry for entry in entries if _covers(entry, slot)] for slot in slots]
        if any(len(found) != 1 for found in verdicts):
            raise Violation(f"not one verdict a slot: {entries}")
        started = {
            slot for slot, (entry,) in zip(slots, verdicts, strict=True) if entry["verdict"] == "Started"
        }
        made = {slot for slot in slots if any(name.startswith(slot) for name in state.made)}
        if started != made:
            raise Violation(f"a Job for {sorted(made)}, but {entries}")
        if any(entry["verdict"] == "Started" and "result" not in entry for entry in entries):
            raise Violation(f"a run without a result: {entries}")


def list_slots(spec: JsonObject, last_tick: int) -> list[str]:
    """List the slots of a spec up to a tick."""
    plan = build_plan(build_scheduled_job(spec, changed=None))
    assert isinstance(plan, Plan)
    return [format_instant(slot) for slot in plan.schedule.latest_slots(tell(0), tell(last_tick), 10)]


def _covers(entry: JsonObject, slot: str) -> bool:
    return bool(entry.get("slot") == slot or ("from" in entry and entry["from"] <= slot <= entry["to"]))


def _put(state: State, old: Leader, new: Leader) -> State:
    return state._replace(leaders=tuple(new if one == old else one for one in state.leaders))


def explore(rules: Rules) -> Exploration:
    """Visit every state that can be reached, nearest first, until a violation."""
    protocol = Protocol(rules)
    begin = protocol.begin()
    found = Exploration({begin: None})
    queue = [begin]
    for state in queue:
        try:
            steps = protocol.find_next(state)
        except Violation as violation:
            found.violation = str(violation)
            found.trace = _retrace(found.came_from, state)
            return found
        found.ends += [] if steps else [state]
        for name, after in steps:
            if after not in found.came_from:
                found.came_from[after] = (state, name)
                queue.append(after)
    return found


def _retrace(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    trace: list[str] = []
    while (before := came_from[state]) is not None:
        state, step = before
        trace.append(step)
    return trace[::-1]
