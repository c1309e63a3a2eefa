"""What every floor stands on: validation, tables, results, optional imports, frozen arrays."""
