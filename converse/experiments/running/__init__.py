"""Plans carried out: assignments found and verified, executed one by one or by several processes."""
