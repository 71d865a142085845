"""What a run of the gate says, for people, for pages, and for the programs of continuous integration."""
