"""For authors of attacks and targets: templates, and the contract that what they write must keep."""
