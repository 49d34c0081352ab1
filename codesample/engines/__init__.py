"""What makes candidates, behind one contract; importing this loads neither torch nor transformers."""
