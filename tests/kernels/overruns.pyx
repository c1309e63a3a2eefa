# cython: boundscheck=False
"""Reads beyond the end, for the checked build to stop at: without it they would be undefined."""


def of_an_index(const unsigned char[::1] data):
    return data[data.shape[0]]


def of_a_pointer(const unsigned char[::1] data):
    cdef const unsigned char* start = &data[0]
    return start[data.shape[0]]
