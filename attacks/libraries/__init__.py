"""Attacks of foolbox and of the Adversarial Robustness Toolbox (ART), aimed at abstention."""
