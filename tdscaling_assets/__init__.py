"""TDScaling: diverse, checked tool-use trajectories as a Dagster asset graph.

    schema.py      every record that crosses a stage        errors.py   the failure tree
    settings.py    every tunable, one sentence each          text.py     normalise, n-grams
    measures.py    one conversation → reasoning-mode labels, action complexity
    prompts/       one template per speaking role; strict rendering
    llm/           ChatModel protocol; litellm client; scripted teacher
    sandbox/       Sandbox protocol; docker, bubblewrap
    storage/       lake (attach, transact, migrate), tables (DDL), spool
    services/      built-in worlds: engine, specs (data), MCP server
  stages, strangers to each other, in data-flow order
    catalog/       sources → Tools
    graph.py       Tools → edges
    clusters.py    edges → clusters
    evolution/     history → RoundPlan
    blueprints/    clusters + plan → Blueprints with ground truth
    agents/        Blueprints → conversations
    quality/       the ordered funnel of rules
    metrics/       many conversations → entropy, complexity, coverage
    export/        kept trajectories → files a trainer reads
    report/        rows → pictures and pages
  shell, the only part that knows Dagster
    defs/          assets, checks, schedules, sensors
    cli.py         `tds`

A floor imports only from the floors below it: shell → stages → storage, llm, sandbox, services → prompts,
measures → text → settings → schema → errors. `lint-imports` enforces it.
"""
