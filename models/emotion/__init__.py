"""Hearing: features, classifier, voice activity, prosody."""
