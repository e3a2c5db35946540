"""Mathematics: networks, features, directions, faces. Tensors in, tensors out."""
