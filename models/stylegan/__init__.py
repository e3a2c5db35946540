"""Generators of the StyleGAN family as readable torch modules."""
