"""What a `tds` command does beyond one call of the core: demo, study, doctor, foreign files, terminal tables."""
