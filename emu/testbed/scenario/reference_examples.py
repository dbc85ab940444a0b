"""The examples of the reference. A test loads every one of them, in HOST."""

from __future__ import annotations

HOST = """\
name: example
about: The examples below are parts of this file.

let: {burst: 32}
matrix: {ring: [split, packed]}
except: [{ring: split, because: shown elsewhere}]

switch:
  bricks:
    lan: {type: switch, ageing: 60s, static: {"02:00:00:00:00:01": p0}}
    tap: {type: capture, file: p1.pcapng}
  ports:
    p0: {type: vhost, role: client, queues: 2, to: lan}
    p1: {type: vhost, role: server}
    p2: {type: vhost, role: client, to: lan}
    p3: {type: vhost, role: server, to: lan}
    p4: {type: vhost, role: server, to: lan}
    up: {type: nic, device: "net_tap0,iface=tb0", to: lan}
  edges:
    - [p1, tap.west]
    - [tap.east, lan]

frontends:
  f0: {type: virtio-user, port: p0, ring: "{ring}", queues: 2}
  f1: {type: virtio-user, port: p1, vectorized: true}
  g2: {type: qemu, port: p2, memory: 512M}
  d3: {type: driver, port: p3, ring: packed, size: 64, without: [mrg_rxbuf]}

flows:
  probe: {from: f0, to: g2, rate: 20kpps, size: 64..1500}
  other: {from: f1, to: f0, closed_loop: 64, size: imix, macs: 4}
"""

STEPS = {
    "run": "run: 2s",
    "wait": "wait: {flows: {probe: moving}, ports: up, within: 5s}",
    "start": "start: switch",
    "kill": "kill: [switch, f1]",
    "stop": "stop: g2",
    "continue": "continue: g2",
    "restart": "restart: {target: switch, graceful: false}",
    "shutdown": "shutdown: {target: f1, within: 5s}",
    "disconnect": "disconnect: p0",
    "apply": "apply: {switch: {ports: {p9: {type: vhost, role: server, to: lan}}, remove: [up]}}",
    "set": "set: {flow: probe, rate: 50kpps}",
    "exec": 'exec: {in: g2, run: "ip link set eth0 mtu 1400"}',
    "reboot": "reboot: g2",
    "reset": "reset: g2",
    "reload": "reload: g2",
    "queues": "queues: {frontend: f0, count: 1}",
    "connect": "connect: d3",
    "handshake": "handshake: {on: d3, stop_after: SET_VRING_ADDR}",
    "send": "send: {from: d3, message: SET_LOG_BASE, payload: {size: 4096}, fds: [memfd 64], expect: refused}",
    "hang_up": "hang_up: d3",
    "chain": "chain: {on: d3, queue: 0, descriptors: [{addr: buf0, len: 1, write: true}], returned: false}",
    "migrate": "migrate: {frontend: d3, to: p4}",
    "kick": "kick: {on: d3, queue: 1, times: 1000}",
    "poke": "poke: {on: d3, at: avail1+2, bytes: ffff}",
    "flip": 'flip: {on: d3, at: desc1+8, values: ["40000000", "ffffffff"]}',
    "resize": "resize: {on: d3, fd: table, size: 0}",
    "block": "block: {on: d3, fd: bell}",
    "virtqueue": "virtqueue: {on: d3, queue: 0, enabled: false}",
    "rings": "rings: {on: d3, fresh: true}",
    "cut": "cut: {port: p0, after_message: 7}",
    "hold": "hold: {port: p0, message: SET_VRING_ADDR, bytes: 20, for: 2s}",
    "delay": "delay: {port: p0, by: 20ms}",
    "drop_reply": "drop_reply: {port: p0, message: GET_FEATURES}",
    "duplicate_reply": "duplicate_reply: {port: p0, message: GET_VRING_BASE}",
    "lose_fd": "lose_fd: {port: p0, message: SET_MEM_TABLE, index: 0}",
    "corrupt": 'corrupt: {port: p0, message: SET_FEATURES, offset: 12, bytes: "ffffffff"}',
    "slow": "slow: {port: p0, bytes_per_s: 100}",
    "heal": "heal: p0",
    "log": "log: {on: d3, do: toggle, every: 50ms, for: 2s}",
    "label": "label: after the crash",
    "repeat": "repeat: {times: 20, steps: [{kill: switch}, {start: switch}, {wait: {flows: moving}}]}",
    "parallel": "parallel: [[{kill: f1}, {start: f1}], [{run: 3s}]]",
    "random": "random: {for: 60s, every: 1s..3s, of: [{kill: switch, weight: 3}, {stop: g2}], then: heal}",
}

# A step that has to stand before the example.
BEFORE = {
    "resize": "send: {from: d3, message: SET_LOG_BASE, payload: {size: 8192}, fds: [memfd 8192 as table]}",
    "block": "send: {from: d3, message: SET_VRING_CALL, payload: {index: 0}, fds: [full eventfd as bell]}",
}

EXPECTATIONS = {
    "flow": 'flow: {name: probe, outages: 1, outage: "<= 200ms", lost: "<= {burst} outside outages", p99: "<= 5ms"}',
    "untouched": 'untouched: {flows: [other], rate: ">= 0.95", p99: "<= 1.5x", lost: 0}',
    "queues": "queues: {frontend: f0, all: moving}",
    "guest": "guest: {name: g2, reboots: 0, kernel_errors: 0, link_changes: 2}",
    "event": "event: {name: session.refused, port: p1, count: 1}",
    "counter": 'counter: {port: p2, name: drop_ring_full, value: ">= 1000"}',
    "answering": 'answering: {actor: switch, within: "<= 100ms"}',
    "conserved": "conserved: true",
    "leaks": 'leaks: {fds: "<= 3"}',
    "pages": "pages: clean",
    "dirty_log": "dirty_log: complete",
    "migration": 'migration: {frontend: d3, completed: 1, downtime: "<= 200ms"}',
    "allow": 'allow: {duplicated: "<= 32", flows: [probe], because: "the torn burst is sent again"}',
    "known": 'known: {when: {ring: packed}, fails: flow probe, because: "this backend forgets its position"}',
}
