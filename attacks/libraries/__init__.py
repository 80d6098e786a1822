"""Adapters: attacks of foolbox and of the Adversarial Robustness Toolbox, aimed at abstention."""
