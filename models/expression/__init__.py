"""Expressions as paths in a generator's latent space."""
