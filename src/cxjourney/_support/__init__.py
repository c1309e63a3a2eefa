"""The floor that every other stands on: validation, tables, results, imports, frozen arrays."""
