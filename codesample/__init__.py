"""Sample many programs per prompt, choose among them, and prove the choice by running tests."""

__version__ = "0.1.0"
