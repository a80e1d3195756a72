"""TDScaling: diverse, checked tool-use trajectories as a Dagster asset graph.

    schema.py      every record that crosses a stage        errors.py   the failure tree
    settings.py    every tunable, one sentence each         text.py     normalise, n-grams
    vocabulary.py  words by which tools are compared        shapes.py   JSON Schema → types, patterns, fields
    clock.py       a conversation's time limit, which does not run while it waits its turn
    secrets.py     text → text without the secrets of a server or an endpoint
    entities.py    names and words → entity keys and acts
    junk.py        Tools → parameters that are none
    speech.py      what an assistant says → confirm, clarify, decline or answer
    flows.py       Tools → their typed inputs and outputs
    evidence.py    output, input → what speaks for a flow; its weight
    measures.py    one conversation → reasoning-mode labels, action complexity
    paths.py       JSON value and dotted path → value
    examples.py    JSON Schema → a plausible value
    observed.py    a tool's answer, what is known → fields that should be other than they are
    code_tasks/    rows, or what a user gives → a code step: its calls, known result and solution
    prompts/       one template per speaking role; strict rendering
    llm/           ChatModel protocol; litellm client; scripted teacher
    sandbox/       Sandbox protocol; docker, bubblewrap
    storage/       lake (attach, transact, migrate), tables (DDL), spool, replies
    services/      built-in worlds: engine, specs (data), MCP server
    remote/        MCP servers of others: configuration, lasting sessions
  stages, strangers to each other, in data-flow order
    catalog/       sources → Tools
    graph.py       Tools → edges
    clusters/      edges → candidates → ranked clusters
    naming.py      clusters → names and purposes by a model
    evolution/     history → RoundPlan
    blueprints/    clusters + plan → Blueprints with ground truth
    agents/        Blueprints → conversations
    quality/       the ordered funnel of rules
    metrics/       many conversations → entropy, complexity, coverage
    export/        kept trajectories → files a trainer reads
    report/        rows → pictures and pages
  shell, the only part that knows Dagster
    defs/          assets, checks, schedules, sensors
    commands/      what a command does beyond one call of the core
    cli.py         `tds`

A floor imports only from the floors below it: shell → stages → storage, llm, sandbox, services, remote → evidence →
prompts, measures, flows, paths, examples, code_tasks, observed → junk → entities, speech, shapes → text, vocabulary,
clock, secrets → settings → schema → errors. `lint-imports` enforces it.
"""
