"""Plugins: attacks, targets, data sets and architectures from files and installed packages."""
