"""What knows Linux: processes and pidfds, files, `/proc` and `/sys`. See `docs/architecture.md`."""
