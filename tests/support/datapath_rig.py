"""A switch on one of its datapaths, and networks of guests on it: plays a script, writes down what anybody outside can see.

Everything is done in quiet moments, so that the same script gives the same transcript, whatever the timing was.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from by_hand import HEADER, Chain, Dice, Round, Variant
from hand_guest import Guest, Program
from testbed.run.binaries import find_program

ROLES = ("sender", "receiver", "observer")


@dataclass(frozen=True)
class Network:
    """A sender, a receiver and an observer, on a switch of their own."""

    name: str
    variants: tuple[Variant, Variant, Variant]
    # What is plugged in besides. capture: between the sender and the switch; nic: one more port, which keeps
    # packets; link: a cable on the way to the observer.
    beside: str = ""
    seed: int = 1

    def port(self, role: int) -> str:
        return f"{ROLES[role][0]}-{self.name}"

    def mac(self, role: int) -> bytes:
        return bytes([2, 0, role, *self.name.encode()[-3:].rjust(3, b"\0")])


def configuration(datapath: str, networks: Sequence[Network], sockets: Path) -> dict[str, Any]:
    bricks: dict[str, Any] = {}
    ports: dict[str, Any] = {}
    edges: list[list[str]] = []
    for network in networks:
        lan, beyond = f"lan-{network.name}", f"far-{network.name}"
        bricks[lan] = {"type": "switch", "capacity": 64}
        for role in range(len(ROLES)):
            path = str(sockets / f"{network.port(role)}.sock")
            ports[network.port(role)] = {"type": "vhost", "role": "server", "path": path}
            if not (network.beside == "capture" and role == 0):
                to = beyond if network.beside == "link" and role == 2 else lan
                ports[network.port(role)]["to"] = to
        if network.beside == "capture":
            tap = f"tap-{network.name}"
            bricks[tap] = {"type": "capture", "file": f"{network.name}.pcapng"}
            edges += [[network.port(0), f"{tap}.west"], [f"{tap}.east", lan]]
        if network.beside == "nic":
            ports[f"nic-{network.name}"] = {
                "type": "nic",
                "device": f"net_null{len(ports)},no-rx=1",
                "to": lan,
            }
        if network.beside == "link":
            bricks[beyond] = {"type": "switch", "capacity": 64}
            cable = str(sockets / f"cable-{network.name}.sock")
            for side, role, to in (("x", "server", lan), ("y", "client", beyond)):
                ports[f"{side}-{network.name}"] = {"type": "link", "role": role, "path": cable, "to": to}
    return {"workers": 1, "datapath": datapath, "bricks": bricks, "ports": ports, "edges": edges}


Step = Callable[[Network], Awaitable[None]]


class Rig:
    """All networks on one switch. `transcript`: what anybody outside the switch can see, by network."""

    def __init__(
        self,
        datapath: str,
        networks: Sequence[Network],
        directory: Path,
        sockets: Path,
        program: Sequence[str | Path],
    ) -> None:
        self.networks = networks
        self.transcript: dict[str, list[tuple[str, Any]]] = {network.name: [] for network in networks}
        self._directory, self._sockets = directory, sockets
        config = directory / "switch.json"
        config.write_text(json.dumps(configuration(datapath, networks, sockets)))
        self._command = [*program, "--config", config]
        self._driver = Program("driver", directory, sockets, [find_program("testbed-driver")])
        self._switch = Program("switch", directory, sockets, self._command)
        self._guests: dict[str, list[Guest]] = {}
        self._dice: dict[str, Dice] = {}

    async def begin(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._driver)
        await self._switch.__aenter__()
        stack.push_async_callback(lambda: self._switch.__aexit__())
        for network in self.networks:
            guests = [
                Guest(self._driver, network.port(role), network.mac(role), variant)
                for role, variant in enumerate(network.variants)
            ]
            self._guests[network.name] = guests
            sender, *receivers = network.variants
            macs = [guest.mac for guest in guests]
            self._dice[network.name] = Dice(f"{network.name} {network.seed}", sender, receivers, macs)
            for guest in guests:
                await guest.begin(self._sockets / f"{guest.name}.sock")
                await guest.meet(self._switch)
        await self.introduce()

    async def _each(self, step: Step) -> None:
        await asyncio.gather(*(step(network) for network in self.networks))

    async def introduce(self) -> None:
        """All send a frame for nobody, which nobody has a buffer for: their addresses are learnt."""

        async def one(network: Network) -> None:
            for guest in self._guests[network.name]:
                frame = b"\x02\0\0\0\0\x99" + guest.mac + b"\x88\xb6" + bytes(46)
                await guest.send([frame], [Chain((HEADER + len(frame),))])

        await self._each(one)

    # -- What is played
    async def rounds(self, count: int, about: str) -> None:
        async def one(network: Network) -> None:
            for _ in range(count):
                self._note(network, about, await self._play(network, self._dice[network.name].round()))

        await self._each(one)

    async def too_few_buffers(self) -> None:
        """Half of what the frames would take. Not of mergeable ones: which frames fit depends on how they are bunched."""

        async def one(network: Network) -> None:
            drawn = self._dice[network.name].round()
            if any(receiver.mergeable for receiver in network.variants[1:]):
                return
            drawn.posted = [chains[: len(chains) // 2] for chains in drawn.posted]
            drawn.due = [frames[: len(frames) // 2] for frames in drawn.due]
            self._note(network, "too few buffers", await self._play(network, drawn))

        await self._each(one)

    async def disabled(self, role: int, vring: int) -> None:
        """A queue of one guest is off while frames are sent; nobody has posted anything."""

        async def one(network: Network) -> None:
            guest = self._guests[network.name][role]
            await guest.do("queues", vring=vring, enable=False)
            drawn = self._dice[network.name].round()
            drawn.posted = drawn.due = [[] for _ in drawn.posted]
            self._note(network, f"{ROLES[role]}'s {vring} off", await self._play(network, drawn))
            await guest.do("queues", vring=vring, enable=True)

        await self._each(one)

    async def restart_rings(self, *, fresh: bool) -> None:
        async def one(network: Network) -> None:
            for guest in self._guests[network.name]:
                await guest.do("restart", fresh=fresh)

        await self._each(one)

    async def meet_again(self, role: int) -> None:
        """One guest of each network hangs up and comes back to its rings."""

        async def one(network: Network) -> None:
            guest = self._guests[network.name][role]
            await guest.leave(self._switch)
            await guest.meet(self._switch)

        await self._each(one)

    async def new_switch(self) -> None:
        """SIGKILL; another life, to which all guests come back."""
        await self._end_of_life()
        await self._switch.__aexit__()
        for guests in self._guests.values():
            for guest in guests:
                await guest.do("disconnect")
        self._switch = Program("switch", self._directory, self._sockets, self._command)
        await self._switch.__aenter__()
        for guests in self._guests.values():
            for guest in guests:
                await guest.meet(self._switch)
        await self.introduce()

    async def finish(self) -> None:
        for network in self.networks:
            for guest in self._guests[network.name]:
                self._note(network, f"how {guest.name}'s rings ended", await guest.last_words())
        await self._end_of_life()

    async def _play(self, network: Network, drawn: Round) -> dict[str, Any]:
        sender, *receivers = self._guests[network.name]
        posted = [await guest.post(0, chains) for guest, chains in zip(receivers, drawn.posted, strict=True)]
        out, back = await sender.send(
            [sent.frame for sent in drawn.sent], [sent.chain for sent in drawn.sent]
        )
        seen: dict[str, Any] = {"refused": [each.refused for each in (out, *posted)], "sender": back}
        for role, (guest, buffers) in enumerate(zip(receivers, posted, strict=True), start=1):
            seen[ROLES[role]] = await guest.frames(buffers)
            seen[f"due to {ROLES[role]}"] = [frame.hex() for frame in drawn.due[role - 1]]
        return seen

    # -- What is written down
    def _note(self, network: Network, about: str, what: Any) -> None:
        self.transcript[network.name].append((about, what))

    async def _end_of_life(self) -> None:
        """What one life of the switch counted and said of each port, as far as a user relies on it."""
        counters = (await self._switch.call("counters"))["ports"]
        for network in self.networks:
            for guest in self._guests[network.name]:
                counted = {key: value for key, value in counters[guest.name].items() if key != "queues"}
                self._note(network, f"what {guest.name} counted", counted)
                said = [told(event) for event in self._switch.events if event.get("port") == guest.name]
                for queue in (0, 1):
                    of_it = [event for event in said if event and event.get("queue", queue) == queue]
                    self._note(network, f"what {guest.name}'s session and queue {queue} were", of_it)


_TOLD: dict[str, tuple[str, ...]] = {
    "session.connected": (),
    "session.negotiated": ("names",),
    "session.up": ("queues", "packed"),
    "session.down": ("reason",),
    "session.refused": ("reason", "ended"),
    "queue.changed": ("queue", "enabled"),
    "ring.resumed": ("queue", "position", "wrap", "source", "committed"),
    "ring.stuck": ("queue",),
    "ring.fault": ("queue", "fault"),
}


def told(event: dict[str, Any]) -> dict[str, Any]:
    """What both datapaths have to say alike; empty: nothing of it."""
    fields = _TOLD.get(event["name"])
    return {} if fields is None else {"name": event["name"], **{key: event.get(key) for key in fields}}


@asynccontextmanager
async def rig(
    datapath: str, networks: Sequence[Network], directory: Path, program: Sequence[str | Path]
) -> AsyncIterator[Rig]:
    directory.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        # Not below `directory`: a socket's path has 107 octets.
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tb-")))
        made = Rig(datapath, networks, directory, sockets, program)
        await made.begin(stack)
        yield made
