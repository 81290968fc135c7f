"""Models as Keras has them: their layers, their `.keras` files, and their way into ONNX files."""
