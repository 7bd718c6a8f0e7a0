fn f() { subgroupBarrier(); }
