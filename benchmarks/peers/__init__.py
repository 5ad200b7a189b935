"""What people would use instead, as their tutorials write it: the same model, the same 30 numbers in, the prediction out."""
