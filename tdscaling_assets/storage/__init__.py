"""Everything that outlives a process: the lake (attach, transact, migrate), its tables, and the conversation spool.

    tables.py    the declared tables and the migrations that create them
    rows.py      records ↔ frames, by the declared types
    attach.py    settings → a DuckDB connection with the lake attached
    locks.py     one writer at a time, over a file or over Postgres
    lake.py      replace a batch in one transaction, read it back, maintain
    queries.py   the named reads that stages need
    spool.py     one durable line per finished conversation
    replies.py   the replies that were paid for, and what they cost

SQL is written here and nowhere else.
"""
