"""What is computed by Python, one package a stage."""
