"""One model as scoring has it: its ONNX file, its network, and what it says of films."""
