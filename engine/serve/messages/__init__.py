"""Converts between the messages of patrol.v1 and the engine's model. Pure. The server and engine.client share it.

`x_message(x)` makes a message of a model object, `x_of(message)` the model object of a message.
"""
