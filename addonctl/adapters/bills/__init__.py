"""Bills: files of AWS's Cost and Usage Reports and of FOCUS, told apart by their columns, and Cost Explorer.

Files are read row by row, never whole. Each form is one module with a table of its columns.
"""

from addonctl.adapters.bills.cost_explorer import CostExplorer
from addonctl.adapters.bills.files import BillFiles

__all__ = ["BillFiles", "CostExplorer"]
