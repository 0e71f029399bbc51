"""faults"""
def run_all(folder, names):
    pass
