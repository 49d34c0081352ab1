"""What base models are shown before a problem: one question with its answer, of each kind."""

from __future__ import annotations

__all__ = ["FUNCTION_HEADER", "SCRIPT_HEADER"]

SCRIPT_HEADER = """\
### Question
A shop notes what it sold each day. The shopkeeper wants to know on how many days it sold more than on the
day before.

Input

The first line holds the number of days n (1 <= n <= 100000). The second line holds n integers a_i
(0 <= a_i <= 1000000000), what was sold on each day, in order.

Output

Print the number of days on which more was sold than on the day before.

Sample Input 1
5
3 4 4 1 7

Sample Output 1
2

### Answer

n = int(input())
sold = list(map(int, input().split()))
print(sum(later > earlier for earlier, later in zip(sold, sold[1:])))

"""
"""For programs that read and print."""

# an editor would cut the blanks at the end of the line
_FUNCTION = """\
### Question
You are given a list of integers `heights`. A position is a step if its height is greater than that of the
position before it. Return the number of steps.

Example 1:

Input: heights = [3,4,4,1,7]
Output: 2

Constraints:

1 <= heights.length <= 100000
0 <= heights[i] <= 1000000000

### Starter Code
class Solution:
    def countSteps(self, heights: List[int]) -> int:
{indent}

### Answer

class Solution:
    def countSteps(self, heights: List[int]) -> int:
        return sum(later > earlier for earlier, later in zip(heights, heights[1:]))

"""
FUNCTION_HEADER = _FUNCTION.format(indent=" " * 8)
"""For methods of a class."""
