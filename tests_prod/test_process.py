"""The process: its background jobs, its restarts, its memory."""

from hour24.objectives.beats import BeatsKept
from hour24.objectives.level import FloorKept
from hour24.objectives.memory import HeadroomKept, NoLeak
from hour24.objectives.restarts import NoRestart
from hour24.plugin import criterion


@criterion("JOBS-RUNNING")
def test_jobs(beats, beats_baseline, production, conclude):
    """Background jobs beat every 30 seconds, with no gap over 75 seconds"""
    plan = production.jobs
    every = {"every_s": plan.every_s, "max_gap_s": plan.max_gap_s} if plan else {}
    conclude(BeatsKept(**every), beats=beats, baseline=beats_baseline)


@criterion("RESTARTS")
def test_restarts(health_probes, platform_events, deploys, declared, production, conclude):
    """The service did not restart, except for a declared deploy"""
    conclude(
        NoRestart(
            resolution_s=production.health.uptime_resolution_s,
            recycles_every_s=production.process.recycles_every_s,
        ),
        probes=health_probes,
        events=platform_events,
        deploys=deploys,
        declared=declared,
    )


@criterion("MEMORY-STABLE")
def test_memory(memory, memory_limit, load, deploys, declared, production, conclude):
    """Memory does not leak"""
    conclude(
        NoLeak(metric=production.memory.metric),
        memory=memory,
        limit=memory_limit,
        load=load,
        deploys=deploys,
        declared=declared,
    )


@criterion("MEMORY-HEADROOM")
def test_headroom(memory_window, memory_limit, production, conclude):
    """Memory stays below 85 % of its limit"""
    below = HeadroomKept(max_share=production.memory.max_share)
    conclude(below, memory=memory_window, limit=memory_limit)


@criterion("MEMORY-LEVEL")
def test_level(memory, memory_baseline, conclude):
    """Memory stays at the level it had during the watch"""
    conclude(FloorKept(), now=memory, baseline=memory_baseline)
