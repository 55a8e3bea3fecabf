"""graphc"""
from graphc import ops as _ops
from graphc.expr.build import constant as constant
from graphc.expr.define import Max, Min, Prod, Sum, define, indices
from graphc.expr.graph import inference, leaves
from graphc.expr.scope import scope
from graphc.ops.arithmetic import *
from graphc.ops.arithmetic import _FUNCTIONS
globals().update(_FUNCTIONS)
from graphc.ops.arithmetic import clip
from graphc.ops.reduction import *
from graphc.ops.layout import *
from graphc.ops.linear import *
from graphc.ops.state import *
from graphc.ops.function import function
from graphc.ops import random, nn
from graphc.reference.evaluate import evaluate
from graphc.autodiff import grad, vjp
