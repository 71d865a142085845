"""Plans carried out: jobs found and verified, executed one by one or by several processes."""
