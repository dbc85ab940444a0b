"""Every kind of mistake in a scenario is one line: file, line, place, what, and how to mend it."""

from __future__ import annotations

import pytest
from scenario_texts import complaint, with_line, with_steps

TOPOLOGY = [
    (
        ("to: f1", "to: g9"),
        "x.yaml:12: flows.probe.to: no frontend 'g9'; there are f0, f1",
    ),
    (
        ("f1: {type: virtio-user, port: p1}", "f1: {type: virtio-user, port: p7}"),
        "x.yaml:10: frontends.f1.port: no vhost port 'p7'; there are p0, p1",
    ),
    (
        ("port: p1}", "port: p0}"),
        "x.yaml:10: frontends.f1.port: 'p0' has a frontend already: f0; one session a port",
    ),
    (
        ("p1: {type: vhost, role: client, to: lan}", "p1: {type: vhost, role: client, to: lam}"),
        "x.yaml:7: switch.ports.p1.to: no brick 'lam'; there are lan; did you mean 'lan'?",
    ),
    (
        ("p1: {type: vhost, role: client,", "p1: {type: vhost, rolle: client,"),
        "x.yaml:7: switch.ports.p1.rolle: unknown key 'rolle'; did you mean 'role'?; "
        "there are type, role, queues, workers, path, datapath, deadline, to",
    ),
    (
        ("role: client, to: lan}\nfrontends", "role: master, to: lan}\nfrontends"),
        "x.yaml:7: switch.ports.p1.role: 'master' is not known here; write client or server",
    ),
    (
        ("f1: {type: virtio-user", "f1: {type: virtio"),
        "x.yaml:10: frontends.f1: no type 'virtio'; there are virtio-user, qemu, driver; did you mean 'virtio-user'?",
    ),
    (
        ("f1: {type: virtio-user, port", "f1: {port"),
        "x.yaml:10: frontends.f1: needs `type:`",
    ),
    (
        ("port: p1}", "port: p1, queues: 4}"),
        "x.yaml:10: frontends.f1.queues: 4 queue pairs are more than port p1 has (1)",
    ),
    (
        ("port: p1}", "port: p1, queues: many}"),
        "x.yaml:10: frontends.f1.queues: 'many' is not a whole number",
    ),
    (
        ("port: p1}", "port: p1, queues: 0}"),
        "x.yaml:10: frontends.f1.queues: '0' has to be at least 1",
    ),
    (
        ("port: p1}", "port: p1, queue_size: 300}"),
        "x.yaml:10: frontends.f1.queue_size: 300 is no power of two (virtio 1.2, 2.7: Split Virtqueues)",
    ),
    (
        ("port: p1}", "port: p1, vectorized: true, mergeable: true}"),
        "x.yaml:10: frontends.f1.mergeable: the driver's vector path needs mergeable: false",
    ),
    (
        ("{lan: {type: switch}}", "{lan: {type: switch}, p0: {type: hub}}"),
        "x.yaml:6: switch.ports.p0: 'p0' is a brick already; names are unique",
    ),
    (
        ("{lan: {type: switch}}", "{lan: {type: switch, ageing: 300}}"),
        "x.yaml:4: switch.bricks.lan.ageing: '300' is no duration; write 300ms or 300s",
    ),
    (
        ("{lan: {type: switch}}", "{lan: {type: switch}, tap: {type: capture, file: /etc/x.pcapng}}"),
        "x.yaml:4: switch.bricks.tap.file: '/etc/x.pcapng' leaves the run's directory; give a name like x.pcapng",
    ),
    (
        ("  ports:", "  datapath: rings\n  ports:"),
        "x.yaml:5: switch.datapath: 'rings' is not known here; write library or ring; did you mean 'ring'?",
    ),
    (
        ("  ports:", "  edges: [[p0, lan], [lan, tap.west]]\n  ports:"),
        "x.yaml:5: switch.edges[1][1]: no brick 'tap'; there are lan",
    ),
    (
        ("p1: {type: vhost,", f"p1: {{type: vhost, path: /{'d' * 107},"),
        "x.yaml:7: switch.ports.p1.path: 108 bytes are too long for a socket's path, 107 is the most; "
        "leave `path` out, or use a shorter directory",
    ),
    (
        ("rate: 1kpps", "rate: 1kps"),
        "x.yaml:12: flows.probe.rate: '1kps' is no rate; write one like 20kpps, 1.5Mpps or 100Mbps",
    ),
    (
        (", rate: 1kpps", ""),
        "x.yaml:12: flows.probe: has no `rate`; write one like 20kpps, or `closed_loop: 256`",
    ),
    (
        ("rate: 1kpps", "rate: 1kpps, size: 40"),
        "x.yaml:12: flows.probe.size: 40 is no size of a probe: 60 to 9000 octets without FCS",
    ),
    (
        ("to: f1, rate", "to: f0, rate"),
        "x.yaml:12: flows.probe.to: 'f0' would send to itself",
    ),
    (
        ("steps:", "start: [f0, f9]\nsteps:"),
        "x.yaml:13: start[1]: no actor 'f9'; there are f0, f1, switch",
    ),
    (
        ("about: Two frontends on a switch.\n", ""),
        "x.yaml: needs `about:`",
    ),
    (
        ("name: pair", "name: 1x y"),
        "x.yaml:1: name: '1x y' is no name: a letter, then letters, digits, _ and -, 32 at most",
    ),
    (
        ("about:", "abuot:"),
        "x.yaml:2: abuot: unknown key 'abuot'; did you mean 'about'?; there are name, about, extends, seed, let, matrix, "
        "except, timeout, start, switch, switches, frontends, flows, steps, expect",
    ),
]


@pytest.mark.parametrize(("change", "expected"), TOPOLOGY)
def test_a_mistake_in_the_topology_is_one_line_with_its_place(change: tuple[str, str], expected: str) -> None:
    assert complaint(with_line(*change)) == expected


STEPS = [
    ("kill: swich", "steps[0].kill: no actor 'swich'; there are f0, f1, switch; did you mean 'switch'?"),
    ("kil: switch", "steps[0].kil: no step 'kil'; did you mean 'kill'?; there are run, wait, start, kill, stop, continue, "
     "restart, shutdown, disconnect, apply, set, exec, reboot, reset, reload, queues, connect, "
     "handshake, send, hang_up, chain, kick, poke, flip, resize, block, virtqueue, rings, log, migrate, cut, hold, "
     "delay, drop_reply, duplicate_reply, lose_fd, corrupt, slow, heal, label, repeat, parallel, random"),
    ("kill", "steps[0]: 'kill' is no step; write `kill: ...`"),
    ("[kill]", "steps[0]: is no step; write one like `run: 2s`"),
    ("{kill: f0, start: f0}", "steps[0]: one step has one key, this has kill, start; start each step with its own `- `"),
    ("kill: [f0, f9]", "steps[0].kill[1]: no actor 'f9'; there are f0, f1, switch"),
    ("run: 2", "steps[0].run: '2' is no duration; write 2ms or 2s"),
    ("run: soon", "steps[0].run: 'soon' is no duration; write one like 150ms, 2s or 5min"),
    ("wait: {}", "steps[0].wait: waits for nothing; write flows, received, ports, guest, actors or event"),
    ("wait: 5s", "steps[0].wait: `wait:` needs a mapping: flows, ports, guest, actors, received, event, within"),
    ("wait: {flows: {probes: moving}}",
     "steps[0].wait.flows: no flow 'probes'; there are probe; did you mean 'probe'?"),
    ("wait: {received: {probes: 9}}",
     "steps[0].wait.received: no flow 'probes'; there are probe; did you mean 'probe'?"),
    ("apply: {switch: {workers: {p9: [0]}}}",
     "steps[0].apply.switch.workers.p9: no port 'p9'; there are p0, p1"),
    ("wait: {ports: {p9: up}}", "steps[0].wait.ports: no port 'p9'; there are p0, p1"),
    ("wait: {ports: open}", "steps[0].wait.ports: 'open' is not known here; write up or down"),
    ("wait: {guest: {f0: ready}}", "steps[0].wait.guest: no guest 'f0'; there are none"),
    ("wait: {event: {name: sesion.up}}", "steps[0].wait.event.name: no event 'sesion.up'; did you mean 'session.up'?"),
    ("wait: {flows: moving, within: 0}", "steps[0].wait.within: 0 is no deadline; write one like 5s"),
    ("disconnect: p9", "steps[0].disconnect: no port 'p9'; there are p0, p1"),
    ("set: {flow: probe, rate: fast}",
     "steps[0].set.rate: 'fast' is no rate; write one like 20kpps, 1.5Mpps or 100Mbps"),
    ("set: {flow: prob, rate: 1pps}", "steps[0].set.flow: no flow 'prob'; there are probe; did you mean 'probe'?"),
    ("exec: {in: f0, run: ls}", "steps[0].exec.in: no guest 'f0'; there are none"),
    ("reboot: f0", "steps[0].reboot: no guest 'f0'; there are none"),
    ("queues: {frontend: f0, count: 4}", "steps[0].queues.count: 'f0' has 1 queue pairs; give it `queues: 4`"),
    ("apply: {}", "steps[0].apply: changes nothing; write `switch: {ports: {...}}` or `switch: {remove: [...]}`"),
    ("apply: {switch: {remove: [p9]}}",
     "steps[0].apply.switch.remove[0]: no port or brick 'p9'; there are lan, p0, p1"),
    ("repeat: {times: 0, steps: [{run: 1s}]}", "steps[0].repeat.times: '0' has to be at least 1"),
    ("repeat: {times: 2, steps: []}", "steps[0].repeat.steps: is empty"),
    ("repeat: {times: 2, steps: [{kill: f9}]}",
     "steps[0].repeat.steps[0].kill: no actor 'f9'; there are f0, f1, switch"),
    ("parallel: [[{run: 1s}], [{kill: f9}]]",
     "steps[0].parallel[1][0].kill: no actor 'f9'; there are f0, f1, switch"),
    ("random: {for: 9s, every: 1s..2s, of: [{run: 1s}]}",
     "steps[0].random.of[0]: `run` breaks nothing that could be healed; choose a fault, "
     "like kill, stop or disconnect (docs/scenarios.md marks them)"),
    ("random: {for: 9s, every: 3s..2s, of: [{kill: f0}]}", "steps[0].random.every: '3s..2s' is empty: 3s is more than 2s"),
    ("cut: {port: p9, after_message: 1}", "steps[0].cut.port: no port 'p9'; there are p0, p1"),
    ("cut: {port: p0}", "steps[0].cut: a cut needs exactly one of after_message and before_message"),
    ("cut: {port: p0, after_message: 0}",
     "steps[0].cut.after_message: 0 is no message's number; the first of a session is 1"),
    ("hold: {port: p0, message: SET_MEMTABLE}",
     "steps[0].hold.message: no request 'SET_MEMTABLE'; did you mean 'SET_MEM_TABLE'?"),
    ("delay: {port: p0, by: 10us}", "steps[0].delay.by: the shortest delay is 1ms"),
    ("corrupt: {port: p0, message: 1, bytes: 12}", """steps[0].corrupt.bytes: put the octets into quotes: "12\""""),
    ("heal: p7", "steps[0].heal: no port 'p7'; there are p0, p1"),
    ("migrate: {frontend: f0, to: p1}",
     "steps[0].migrate.frontend: no driver frontend or guest 'f0'; there are none"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_a_mistake_in_a_step_is_one_line_with_its_place(step: str, expected: str) -> None:
    assert complaint(with_steps(step)) == f"x.yaml:14: {expected}"


EXPECT = [
    ("flow: {name: prob}", "expect[0].flow.name: no flow 'prob'; there are probe; did you mean 'probe'?"),
    ("flow: {name: probe, lost: few}",
     "expect[0].flow.lost: 'few' is not a comparison; write one like 0, '<= 200ms', '>= 0.95', '<= 1.5x' or '1..3'"),
    ("flw: {name: probe}", "expect[0].flw: unknown key 'flw'; did you mean 'flow'?; there are flow, untouched, queues, "
     "guest, event, counter, answering, conserved, leaks, pages, dirty_log, migration, allow, known"),
    ("untouched: {flows: [probe, other]}", "expect[0].untouched.flows: no flow 'other'; there are probe"),
    ("queues: {frontend: f7, all: moving}",
     "expect[0].queues.frontend: no frontend 'f7'; there are f0, f1"),
    ("guest: {name: f0}", "expect[0].guest.name: no guest 'f0'; there are none"),
    ("event: {name: sesion.down}", "expect[0].event.name: no event 'sesion.down'; did you mean 'session.down'?"),
    ("counter: {port: p9, name: rx_packets}",
     "expect[0].counter.port: no port 'p9'; there are p0, p1"),
    ("allow: {duplicated: 3}", "expect[0].allow: needs `because:`"),
    ("allow: {sadness: 3, because: x}", "expect[0].allow.sadness: unknown key 'sadness'"),
    ("known: {when: {rng: split}, fails: flow, because: x}",
     "expect[0].known.when: no axis 'rng'; there are backend, datapath"),
    ("leaks: many", "expect[0].leaks: 'many' is not known here; write none"),
    ("pages: clean", "expect[0].pages: there is no `type: driver` frontend whose memory could be looked at"),
    ("migration: {frontend: f0}", "expect[0].migration.frontend: no driver frontend or guest 'f0'; there are none"),
    ("migration: {identical: false}", "expect[0].migration.identical: false is not known here; write True"),
    ("dirty_log: complete", "expect[0].dirty_log: no step switches a log on; write one like `log: {on: d2, do: on}`"),
]  # fmt: skip


@pytest.mark.parametrize(("expectation", "expected"), EXPECT)
def test_a_mistake_in_an_expectation_is_one_line_with_its_place(expectation: str, expected: str) -> None:
    line = complaint(with_line("flow: {name: probe, lost: 0}", expectation))
    assert line.startswith(f"x.yaml:17: {expected}")
