"""Open and run what is untrusted in a process of limited memory and time; no other place does.

Files and arrays go in, arrays and texts come out, over two pipes; a crash, a bomb or an endless loop is
one line of the caller's.
"""
