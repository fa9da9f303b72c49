/// Sorts in runs that are merged, so that a long sort can be ended between two of them.
struct MergeSort {
    private let bounds: ScanBounds
    private let runLength: Int

    /// - Parameter runLength: elements between two looks at the bounds.
    init(_ bounds: ScanBounds, runLength: Int) {
        self.bounds = bounds
        self.runLength = runLength
    }

    /// Sorts `elements`. O(n log n).
    /// - Parameter room: at least as long; what it holds is lost.
    /// - Throws: `late`; the elements are then in any order, and some may be there twice.
    @inline(__always)
    func sort<Element: BitwiseCopyable>(
        _ elements: UnsafeMutableBufferPointer<Element>,
        _ room: UnsafeMutableBufferPointer<Element>, by precedes: (Element, Element) -> Bool
    ) throws(ScanFailure) {
        guard elements.count > 1 else { return }
        for start in stride(from: 0, to: elements.count, by: runLength) {
            try bounds.look()
            let end = min(start + runLength, elements.count)
            var run = UnsafeMutableBufferPointer(rebasing: elements[start..<end])
            run.sort(by: precedes)
        }
        var (source, target) = (elements, room)
        var width = runLength
        while width < elements.count {
            for start in stride(from: 0, to: elements.count, by: width * 2) {
                let middle = min(start + width, elements.count)
                let end = min(middle + width, elements.count)
                try merge(source, start..<middle, middle..<end, into: target, precedes)
            }
            (source, target) = (target, source)
            width *= 2
        }
        guard source.baseAddress != elements.baseAddress else { return }
        for index in elements.indices { elements[index] = source[index] }
    }

    @inline(__always)
    private func merge<Element: BitwiseCopyable>(
        _ source: UnsafeMutableBufferPointer<Element>, _ left: Range<Int>, _ right: Range<Int>,
        into target: UnsafeMutableBufferPointer<Element>, _ precedes: (Element, Element) -> Bool
    ) throws(ScanFailure) {
        var (low, high) = (left.lowerBound, right.lowerBound)
        var untilLook = 1
        for index in left.lowerBound..<right.upperBound {
            untilLook -= 1
            if untilLook == 0 {
                untilLook = runLength
                try bounds.look()
            }
            // Of equal ones the left comes first.
            let takesRight =
                low == left.upperBound
                || high < right.upperBound && precedes(source[high], source[low])
            if takesRight {
                target[index] = source[high]
                high += 1
            } else {
                target[index] = source[low]
                low += 1
            }
        }
    }
}
