"""The events of docs/protocol.md and of the runner (check/evidence.py): what `event:` may name."""

from __future__ import annotations

EVENTS = frozenset(
    """
    process.started process.stopping process.spawned process.exited eal.up pool.up control.up
    switch.ready plan.published queue.moved port.added port.removed port.failed
    session.connected session.message session.negotiated session.changed session.refused session.up
    session.first_packet session.down queue.changed ring.fault ring.resumed ring.stuck fdb.moved
    link.up link.down port.forgetful load.ready frontend.opened frontend.retrying frontend.failed
    guest.started guest.reset guest.rebooted guest.shutdown
    frontend.link flow.moving flow.outage agent.ready kernel.error guest.link guest.panicked guest.died label
    driver.connected driver.up driver.down driver.failed driver.unexpected driver.backend_request driver.outcome
    driver.message
    proxy.ready proxy.added proxy.removed proxy.connected proxy.gave_up proxy.up proxy.down proxy.message proxy.fault
    migration.asked migration.started migration.round migration.stopped migration.switched migration.completed
    migration.cancelled migration.failed proxy.healed fault.armed fault.disarmed
    """.split()
)
