"""Erasure of persons from a home: see `erase`."""
